"""Whether frames pass this host's firewall, and what lets them: one file for each kind of firewall."""
