"""Systems from images to images."""
