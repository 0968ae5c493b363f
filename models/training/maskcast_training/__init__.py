"""The recipe of the shipped model. See README.md one folder up."""
