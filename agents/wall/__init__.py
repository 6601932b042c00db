"""What a language model that plans may see: nothing that traffic, files or tables say in words."""
