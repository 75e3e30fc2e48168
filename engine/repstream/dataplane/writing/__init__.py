"""Writers: which frames go to which acquisition, and its life from arm to the closed file."""
