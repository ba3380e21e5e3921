"""A whole design: planned in every model, checked, compared, exported."""
