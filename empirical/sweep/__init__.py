"""Many jobs, one after another or on several processes and machines: interrupted, and continued by the same command."""
