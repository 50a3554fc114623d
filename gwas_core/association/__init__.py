"""Which SNPs go with the trait: per-SNP tests, and what counts as significant among many of them."""
