"""Seed: rows that every installation needs, and made-up people to develop and measure with."""
