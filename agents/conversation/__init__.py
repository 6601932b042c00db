"""What a person says to netloop, read: by rules, and where they cannot tell by a language model."""
