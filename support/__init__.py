"""The ground floor: files, tasks, texts and errors that every room uses."""
