"""How degraders are learned from two unrelated folders."""
