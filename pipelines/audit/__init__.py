"""The proof that a score means something: shortcuts, leaks, and what a trained model leans on."""
