"""The paper's rule, stated independently of everything that is tested."""
