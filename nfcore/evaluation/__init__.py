"""How good pictures are: metrics, error maps, published tables, comparisons of runs."""
