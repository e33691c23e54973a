"""Named systems, one a file; the catalogue finds them by their place: `wgan_gp.py` is `wgan-gp`."""
