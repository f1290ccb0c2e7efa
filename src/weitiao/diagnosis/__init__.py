"""Whether this machine can do what weitiao asks of it: one finding for each thing looked at, worst news included."""
