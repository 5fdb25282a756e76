"""Preference studies: which of two methods' images people prefer."""
