"""What is maximised: caption likelihood and alignment likelihood, on tensors."""
