"""The sections, a module each, whose ``rows`` measures and yields the lines of a table."""
