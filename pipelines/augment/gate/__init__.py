"""The gate for synthetic rows: checks against the real rows they were made from, and a verdict."""
