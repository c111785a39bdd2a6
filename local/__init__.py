"""What runs on one machine alone: the simulator of the provider, and the stack around it."""
