"""Which degradation model serves best: restoration networks trained on what each of them makes."""
