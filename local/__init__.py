"""The stack on one machine: a local AWS, the simulator and the real `sam` between them."""
