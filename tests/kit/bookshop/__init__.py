"""A service package with nothing but migrations."""
