"""Systems whose generator plays against a discriminator or critic."""
