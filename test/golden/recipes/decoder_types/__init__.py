"""Goldens of decoders, by model_type: every module here has a dict TYPES of recipes for ../model_type_decoders.py."""
