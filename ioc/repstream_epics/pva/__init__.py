"""PV Access: engines as PVs with structure, and pictures as NTNDArray. Needs the extra `pva`."""
