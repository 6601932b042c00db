"""What leaves a machine without saying whose traffic it was."""
