"""The commands of ``sparq``, one file each, and the options and tables that they share."""
