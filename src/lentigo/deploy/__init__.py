"""From a run to one file, and from that file to an answer on any device."""
