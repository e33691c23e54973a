"""Models of one number after the other, with exact likelihoods."""
