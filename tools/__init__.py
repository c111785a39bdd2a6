"""Commands for a deployed stack, on AWS or on the local AWS of `make local`."""
