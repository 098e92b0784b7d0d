"""What ``torch.save`` writes, read without PyTorch and without unpickling. `file.TorchFile` is the reader."""
