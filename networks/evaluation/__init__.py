"""What a network's accuracy becomes on the hardware's arithmetic."""
