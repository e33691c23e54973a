"""Systems with codes from a learned codebook."""
