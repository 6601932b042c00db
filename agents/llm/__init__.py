"""Any OpenAI-compatible server, as something that can be asked: typed, counted, on record."""
