"""The one way out of a rehearsal: a proxy on loopback, behind which production hostnames end at stand-ins."""
