"""What software and tools read of a table of registers: SystemRDL, a C header, a page of HTML."""
