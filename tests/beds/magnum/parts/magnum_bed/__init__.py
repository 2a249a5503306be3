"""What the bed adds to Magnum: a transport, drivers and a server. Found by Python through the entry points beside this folder."""
