-- Neovim reads this where the folder lies among its packages; `vim.g.rejoinder` holds what differs from the defaults.
if vim.g.rejoinder ~= false and not vim.g.loaded_rejoinder then
  vim.g.loaded_rejoinder = true
  require("rejoinder").setup(vim.g.rejoinder)
end
