"""What is generated: its description, and what it must compute."""
