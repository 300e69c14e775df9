-- Ghost text for prose in Neovim 0.10 and newer, by `rejoinder lsp`. Nothing is sent anywhere but to that process.
--
-- The ghost is an extmark of our own. Where `vim.lsp.inline_completion` (Neovim 0.12) is switched on, Neovim draws it instead.
-- The keys are mapped while there is a ghost, and only then: without one each of them means what it meant before.

local M = {}

local METHOD = "textDocument/inlineCompletion"
local namespace = vim.api.nvim_create_namespace("rejoinder")

M.options = {
  cmd = { "rejoinder", "lsp" },
  filetypes = { "markdown", "mail", "text", "gitcommit", "tex", "plaintex", "rst", "asciidoc", "org", "typst" },
  keys = { accept = "<Tab>", accept_word = "<M-Right>", dismiss = "<C-]>" }, -- false maps none
  native = false, -- true switches Neovim's own inline completion on for this server
}

local state = {
  text = "", -- the ghost; "" for none
  buffer = nil, -- where it is
  row = nil, -- as the API counts
  column = nil, -- bytes
  request = nil, -- { client, id } that is not answered yet
  before = nil, -- { buffer, row, text up to the caret } at the last keystroke
  hushed = nil, -- text up to the caret for which the ghost was dismissed
  kept = {}, -- mappings of the buffer that ours stand before
  warned = false,
}

local function call(client, method, ...)
  if vim.fn.has("nvim-0.11") == 1 then
    return client[method](client, ...)
  end
  return client[method](...)
end

local function client_of(buffer)
  return vim.lsp.get_clients({ bufnr = buffer, name = "rejoinder" })[1]
end

local function is_native(buffer)
  local inline = vim.lsp.inline_completion
  return inline ~= nil and (M.options.native or inline.is_enabled({ bufnr = buffer }))
end

local function caret()
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  return row - 1, column, vim.api.nvim_get_current_line():sub(1, column)
end

-- The keys ------------------------------------------------------------------------------------------------------------

local function unmap_keys()
  for key, former in pairs(state.kept) do
    if vim.api.nvim_buf_is_valid(state.buffer) then
      vim.api.nvim_buf_call(state.buffer, function()
        pcall(vim.keymap.del, "i", key, { buffer = state.buffer })
        if former then
          vim.fn.mapset("i", false, former)
        end
      end)
    end
  end
  state.kept = {}
end

local function map_keys()
  for name, key in pairs(M.options.keys) do
    if key and state.kept[key] == nil then
      local former = vim.fn.maparg(key, "i", false, true)
      state.kept[key] = former.buffer == 1 and former or false
      vim.keymap.set("i", key, M[name], { buffer = state.buffer, desc = "rejoinder: " .. name:gsub("_", " ") })
    end
  end
end

-- The ghost -----------------------------------------------------------------------------------------------------------

local function hide()
  if state.buffer and vim.api.nvim_buf_is_valid(state.buffer) then
    vim.api.nvim_buf_clear_namespace(state.buffer, namespace, 0, -1)
  end
  unmap_keys()
  state.text = ""
end

local function show(buffer, row, column, text)
  if state.buffer ~= buffer then
    hide()
  end
  state.buffer, state.row, state.column, state.text = buffer, row, column, text
  vim.api.nvim_buf_clear_namespace(buffer, namespace, 0, -1)
  vim.api.nvim_buf_set_extmark(buffer, namespace, row, column, {
    virt_text = { { text, "RejoinderGhost" } },
    virt_text_pos = "inline",
    hl_mode = "combine",
  })
  map_keys()
end

--- The ghost that is shown; "" for none.
function M.ghost()
  return state.text
end

--- Whether an answer is waited for.
function M.waits()
  return state.request ~= nil
end

local function cancel()
  if state.request then
    local client, id = unpack(state.request)
    state.request = nil
    if not client.is_stopped or not call(client, "is_stopped") then
      call(client, "cancel_request", id)
    end
  end
end

local function ask(buffer, row, column, typed)
  local client = client_of(buffer)
  if not client or typed == state.hushed then
    return
  end
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.context = { triggerKind = 2 }
  local sent, id
  sent, id = call(client, "request", METHOD, params, function(_, result)
    if state.request and state.request[2] == id then
      state.request = nil
    end
    local now_row, now_column, now_typed = caret()
    local here = vim.api.nvim_get_current_buf() == buffer and now_row == row and now_column == column and now_typed == typed
    if not here or not vim.api.nvim_get_mode().mode:match("^i") or vim.fn.pumvisible() == 1 then
      return
    end
    local item = result and (result.items or result)[1]
    if item then
      show(buffer, row, column, item.insertText:match("^[^\r\n]*"))
    else
      hide()
    end
  end, buffer)
  state.request = sent and { client, id } or nil
end

-- After a keystroke: what was typed of the ghost is taken off it at once, and the server is asked, but not while one deletes.
local function typed_on()
  local buffer = vim.api.nvim_get_current_buf()
  local row, column, typed = caret()
  local before = state.before
  state.before = { buffer, row, typed }
  if before and before[1] == buffer and before[2] == row and before[3] == typed then
    return -- told twice, by the text and by the caret
  end
  cancel()
  local same = before and before[1] == buffer and before[2] == row
  local added = same and vim.startswith(typed, before[3]) and typed:sub(#before[3] + 1) or nil
  if added and state.text ~= "" and #state.text > #added and vim.startswith(state.text, added) then
    show(buffer, row, column, state.text:sub(#added + 1))
  else
    hide()
  end
  local deleted = same and #typed < #before[3] and vim.startswith(before[3], typed)
  if not deleted and not is_native(buffer) and vim.fn.pumvisible() == 0 then
    ask(buffer, row, column, typed)
  end
end

local function left()
  cancel()
  hide()
  state.before, state.hushed = nil, nil
end

-- What the keys do ----------------------------------------------------------------------------------------------------

local function put(text)
  local row, column = state.row, state.column
  hide()
  vim.bo.undolevels = vim.bo.undolevels -- what is taken is undone by itself
  vim.api.nvim_buf_set_text(0, row, column, row, column, { text })
  vim.api.nvim_win_set_cursor(0, { row + 1, column + #text })
end

-- The ghost as it is by now: letters that came in one burst with the key have told nobody. If they have ended it, the key means
-- what it meant before.
local function ghost_at_caret(key)
  if state.text ~= "" then
    typed_on()
    if state.text == "" and key then
      vim.api.nvim_feedkeys(vim.keycode(key), "mi", false)
    end
  end
  return state.text ~= ""
end

--- Take the whole ghost.
function M.accept()
  if ghost_at_caret(M.options.keys.accept) then
    put(state.text)
  end
end

--- Take its next word; the rest stays.
function M.accept_word()
  if ghost_at_caret(M.options.keys.accept_word) then
    local text, word = state.text, state.text:match("^%s*%S+") or state.text
    put(word)
    if #text > #word then
      local row, column, typed = caret()
      state.before = { vim.api.nvim_get_current_buf(), row, typed }
      show(state.buffer, row, column, text:sub(#word + 1))
    end
  end
end

--- Take the ghost away until something else is written.
function M.dismiss()
  cancel()
  hide()
  state.hushed = select(3, caret())
end

-- The server ----------------------------------------------------------------------------------------------------------

local function start(buffer)
  if vim.bo[buffer].buftype ~= "" and vim.bo[buffer].buftype ~= "acwrite" then
    return
  end
  local command = M.options.cmd[1]
  if vim.fn.executable(command) == 0 then
    if not state.warned then
      state.warned = true
      local how = "install it with `pip install '.[lsp]'` in a checkout, or name it: vim.g.rejoinder = { cmd = { PATH, \"lsp\" } }"
      vim.notify(("rejoinder: `%s` was not found; %s"):format(command, how), vim.log.levels.WARN)
    end
    return
  end
  local server = { name = "rejoinder", cmd = M.options.cmd, root_dir = vim.fn.getcwd() }
  if M.options.native and vim.lsp.inline_completion then
    server.on_attach = function(_, attached)
      vim.lsp.inline_completion.enable(true, { bufnr = attached })
    end
    local key = M.options.keys.accept
    if key then
      vim.keymap.set("i", key, function()
        return vim.lsp.inline_completion.get() and "" or key
      end, { buffer = buffer, expr = true, desc = "rejoinder: accept" })
    end
  end
  vim.lsp.start(server, { bufnr = buffer })
end

-- The switch for all help, on the page, in the browser and in editors: the server of this buffer turns it.
local function switch()
  local client = client_of(vim.api.nvim_get_current_buf())
  if not client then
    vim.notify("rejoinder: no server runs for this buffer", vim.log.levels.WARN)
    return
  end
  call(client, "request", "workspace/executeCommand", { command = "rejoinder.switch" }, function(_, said)
    if said then
      if not said.on then
        left()
      end
      vim.notify(said.on and "rejoinder helps" or "rejoinder is off wherever you write; the same command brings it back")
    end
  end, vim.api.nvim_get_current_buf())
end

--- Begin: a server for the file types of prose, and a ghost while one writes. `options` holds what differs from M.options.
function M.setup(options)
  M.options = vim.tbl_deep_extend("force", M.options, options or {})
  vim.api.nvim_set_hl(0, "RejoinderGhost", { link = "Comment", default = true })
  local group = vim.api.nvim_create_augroup("rejoinder", {})
  local function on(events, todo, pattern)
    vim.api.nvim_create_autocmd(events, { group = group, pattern = pattern, callback = todo })
  end
  vim.api.nvim_create_user_command("RejoinderSwitch", switch, { desc = "All help while typing, on or off" })
  on("FileType", function(event)
    start(event.buf)
  end, M.options.filetypes)
  on({ "TextChangedI", "CursorMovedI" }, typed_on)
  on({ "InsertLeave", "BufLeave" }, left)
end

return M
