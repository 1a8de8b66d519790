"""Figures that the product must reach, measured on real processes: ``make bench``."""
