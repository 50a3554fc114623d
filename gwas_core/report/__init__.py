"""What came of a search, in words, tables and figures."""
