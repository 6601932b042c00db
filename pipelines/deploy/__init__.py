"""Which layout of learning and detection fits a network of several sites: it is tried out."""
