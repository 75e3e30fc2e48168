"""How the frames of an acquisition become the content of its files, in this process or in others."""
