"""Systems over sequences of tokens."""
