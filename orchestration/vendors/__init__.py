"""What the extract and the push both need to talk to a vendor: one call, its pace, its tokens."""
