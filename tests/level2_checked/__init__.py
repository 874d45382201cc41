"""Level 2: rendered files through their own software's checkers. Proves syntax, references and sizes, not behaviour."""
