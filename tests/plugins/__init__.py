"""Level 3, one part alone: the doubles of the provider plugins against recordings of the real ones."""
