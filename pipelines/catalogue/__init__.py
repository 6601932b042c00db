"""Public sets of labelled traffic: what they are, what is wrong with them, who publishes them."""
