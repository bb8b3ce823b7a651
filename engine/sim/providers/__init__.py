"""The provider's end of each wire protocol, sans-I/O: bytes and times in, frames out."""
