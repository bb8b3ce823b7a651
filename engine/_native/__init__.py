"""The door to native: compiled modules, private, typed by the stubs beside this file."""
