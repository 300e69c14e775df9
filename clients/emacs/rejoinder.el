;;; rejoinder.el --- Ghost text for prose  -*- lexical-binding: t; -*-

;; Version: 0.1.0
;; Package-Requires: ((emacs "27.1"))
;; Keywords: convenience, wp

;;; Commentary:

;; Ghost text for prose in Emacs 27 and newer, by `rejoinder lsp'.  Nothing is sent anywhere but to that process.
;;
;;     (load "/PATH/TO/clients/emacs/rejoinder.el")
;;     (global-rejoinder-mode)
;;
;; The ghost is an overlay: neither the text nor the caret knows of it.  Its keys (`rejoinder-ghost-map') are bound while
;; there is a ghost, and only then.  The three likeliest words come by `completion-at-point'.  The server is one of our own
;; beside whatever Eglot runs in a buffer, since Eglot has one server a buffer and no inline completion.

;;; Code:

(require 'cl-lib)
(require 'jsonrpc)
(require 'subr-x)
(require 'url-util)

(defgroup rejoinder nil "Ghost text for prose." :group 'convenience)

(defcustom rejoinder-command '("rejoinder" "lsp")
  "The server and its arguments, such as \"--gate\" and \"quiet\"."
  :type '(repeat string))

(defcustom rejoinder-languages
  '((git-commit-mode . "gitcommit") (message-mode . "mail") (mail-mode . "mail") (markdown-mode . "markdown")
    (org-mode . "org") (rst-mode . "rst") (adoc-mode . "asciidoc") (latex-mode . "latex") (LaTeX-mode . "latex")
    (typst-ts-mode . "typst") (typst-mode . "typst") (log-edit-mode . "plaintext") (text-mode . "plaintext"))
  "The modes of prose, and what the server calls each.
A mode stands for those derived from it, but `text-mode' for itself alone: data and markup are derived from it too."
  :type '(alist :key-type symbol :value-type string))

(defface rejoinder-ghost '((t :inherit shadow)) "What the ghost looks like.")

(defvar rejoinder-ghost-map
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "TAB") #'rejoinder-accept)
    (define-key map [tab] #'rejoinder-accept)
    (define-key map [M-right] #'rejoinder-accept-word)
    (define-key map [remap forward-word] #'rejoinder-accept-word)
    (define-key map (kbd "C-g") #'rejoinder-hush)
    (define-key map [escape] '(menu-item "" rejoinder-hush :filter rejoinder--unless-evil))
    map)
  "The keys while there is a ghost.")

(defvar rejoinder-mode)
(defvar rejoinder--server nil "The connection, or nil.")
(defvar rejoinder--ready nil "Whether the server has answered its greeting.")
(defvar rejoinder--ended nil "Whether it ended by itself; it is not started again then until a mode is switched on by hand.")
(defvar rejoinder--ghost nil "The overlay that shows a ghost, whose property `rejoinder' is its text; nil for none.")

(defvar rejoinder--patience 1 "Seconds that `completion-at-point' waits for the words; a key ends it at once.")

(defvar-local rejoinder--shown nil "Whether the ghost is in this buffer.")
(defvar-local rejoinder--uri nil "What the server calls this buffer while it is open there.")
(defvar-local rejoinder--knows nil "The connection whose server knows this buffer.")
(defvar-local rejoinder--version 0 "How often the server was told of this buffer.")
(defvar-local rejoinder--end '(0 . 0) "Where the text ends as the server knows it: line, and characters.")
(defvar-local rejoinder--same nil "How many characters at the beginning and at the end are as the server knows them; nil if all.")
(defvar-local rejoinder--tick nil "The buffer's tick when we were last told of a change.")
(defvar-local rejoinder--before nil "After the last command: the caret, how many characters there are, and the buffer's tick.")
(defvar-local rejoinder--turn 0 "How often one typed or moved: an answer to what was asked before that is late.")
(defvar-local rejoinder--hushed nil "What stood before the caret when the ghost was hushed.")

(defvar rejoinder--keys (list (cons 'rejoinder--shown rejoinder-ghost-map)))
(add-to-list 'emulation-mode-map-alists 'rejoinder--keys)

(defun rejoinder--unless-evil (command)
  "COMMAND, but where Esc ends a state of Evil."
  (unless (bound-and-true-p evil-local-mode) command))

(defun rejoinder--language ()
  "What the server calls the language of this buffer; nil where it is none of prose."
  (cdr (cl-find-if
        (lambda (mode)
          (cond ((eq mode 'text-mode) (eq major-mode 'text-mode))
                ((eq mode 'git-commit-mode)
                 (or (bound-and-true-p git-commit-mode)
                     (and buffer-file-name (string-suffix-p "_EDITMSG" buffer-file-name))))
                (t (derived-mode-p mode))))
        rejoinder-languages :key #'car)))

;;; The server

(defun rejoinder--warn (&rest message)
  "Say MESSAGE, once, in a window of its own."
  (display-warning 'rejoinder (apply #'format message)))

(defun rejoinder--told (_connection method params)
  "Keep what the server logs (METHOD, PARAMS) in a buffer."
  (when (eq method 'window/logMessage)
    (with-current-buffer (get-buffer-create "*rejoinder log*")
      (goto-char (point-max))
      (insert (plist-get params :message) "\n"))))

(defun rejoinder--gone (connection)
  "CONNECTION has ended by itself: say what its server said last."
  (when (eq connection rejoinder--server)
    (setq rejoinder--server nil rejoinder--ready nil rejoinder--ended t)
    (rejoinder--hide)
    (let ((said (process-get (jsonrpc--process connection) 'jsonrpc-stderr)))
      (rejoinder--warn "`%s' ended: %s; M-x rejoinder-mode, twice, starts it again" (string-join rejoinder-command " ")
                       (if (buffer-live-p said)
                           (with-current-buffer said (string-trim (buffer-substring (max 1 (- (point-max) 500)) (point-max))))
                         "it said nothing")))))

(defun rejoinder--start ()
  "Start the server, if there is none."
  (cond
   ((or rejoinder--server rejoinder--ended))
   ((not (executable-find (car rejoinder-command)))
    (setq rejoinder--ended t)
    (rejoinder--warn "`%s' was not found; install it with `pip install '.[lsp]'' in a checkout, or set `rejoinder-command'"
                     (car rejoinder-command)))
   (t
    (let* ((default-directory (expand-file-name "~/"))
           (connection
            (make-instance
             'jsonrpc-process-connection :name "rejoinder" :events-buffer-scrollback-size 0 ; no text is kept in a log
             :notification-dispatcher #'rejoinder--told :on-shutdown #'rejoinder--gone
             :process (lambda ()
                        (make-process :name "rejoinder" :command rejoinder-command :connection-type 'pipe :noquery t
                                      :coding 'utf-8-emacs-unix :stderr (get-buffer-create "*rejoinder stderr*"))))))
      (setq rejoinder--server connection rejoinder--ready nil)
      (jsonrpc-async-request
       connection :initialize
       (list :processId (emacs-pid) :rootUri nil :capabilities '(:general (:positionEncodings ["utf-32"])))
       :timeout 120
       :success-fn (lambda (_)
                     (jsonrpc-notify connection :initialized (make-hash-table))
                     (setq rejoinder--ready connection)))))))

;;; What the server knows of a buffer

(defun rejoinder--text (begin end)
  "The text from BEGIN to END, character by character as JSON can have it and with lines that end at newlines alone."
  (subst-char-in-string ?\r ?\s (replace-regexp-in-string "[^\x0-\uD7FF\uE000-\U0010FFFF]" "\uFFFD"
                                                          (buffer-substring-no-properties begin end))))

(defun rejoinder--count (begin end)
  "How many newlines are between BEGIN and END."
  (save-excursion (goto-char end) (- (count-lines begin end) (if (or (= begin end) (bolp)) 0 1))))

(defun rejoinder--place (position)
  "The line of POSITION, and how many characters stand before it there."
  (save-excursion
    (goto-char position)
    (let ((inhibit-field-text-motion t))
      (cons (rejoinder--count 1 (line-beginning-position)) (- position (line-beginning-position))))))

(defun rejoinder--changed (begin end _length)
  "The text between BEGIN and END is new."
  (let ((after (- (1+ (buffer-size)) end)))
    (setq rejoinder--tick (buffer-chars-modified-tick)
          rejoinder--same (if rejoinder--same
                              (cons (min (1- begin) (car rejoinder--same)) (min after (cdr rejoinder--same)))
                            (cons (1- begin) after)))))

(defun rejoinder--tell ()
  "Have the server know this buffer as it is, by the lines that changed; whether it can be asked."
  (when rejoinder--ready
    (unless (eq rejoinder--tick (buffer-chars-modified-tick)) ; somebody changed it without a word
      (setq rejoinder--same (cons 0 0)))
    (save-excursion
      (save-restriction
        (widen)
        (if (eq rejoinder--knows rejoinder--server)
            (when rejoinder--same (rejoinder--tell-change))
          (setq rejoinder--knows rejoinder--server
                rejoinder--uri (if buffer-file-name (concat "file://" (url-hexify-string buffer-file-name url-path-allowed-chars))
                                 (format "untitled:%s-%d" (url-hexify-string (buffer-name)) (abs (random))))
                rejoinder--end (rejoinder--place (point-max)))
          (jsonrpc-notify rejoinder--server :textDocument/didOpen
                          (list :textDocument
                                (list :uri rejoinder--uri :languageId (rejoinder--language)
                                      :version (cl-incf rejoinder--version) :text (rejoinder--text 1 (point-max))))))))
    (setq rejoinder--same nil rejoinder--tick (buffer-chars-modified-tick))
    t))

(defun rejoinder--tell-change ()
  "Tell the server of the lines that changed."
  (let* ((inhibit-field-text-motion t)
         (begin (progn (goto-char (1+ (car rejoinder--same))) (line-beginning-position)))
         (end (progn (goto-char (max (point) (- (point-max) (cdr rejoinder--same)))) (line-beginning-position 2)))
         (first (rejoinder--count 1 begin))
         (after (rejoinder--count end (point-max)))
         (last (if (= end (point-max)) rejoinder--end (cons (- (car rejoinder--end) after) 0))))
    (setq rejoinder--end (rejoinder--place (point-max)))
    (jsonrpc-notify rejoinder--server :textDocument/didChange
                    (list :textDocument (list :uri rejoinder--uri :version (cl-incf rejoinder--version))
                          :contentChanges
                          (vector (list :range (list :start (list :line first :character 0)
                                                     :end (list :line (car last) :character (cdr last)))
                                        :text (rejoinder--text begin end)))))))

(defun rejoinder--forget ()
  "Have the server close this buffer."
  (when (and rejoinder--knows (eq rejoinder--knows rejoinder--ready))
    (jsonrpc-notify rejoinder--server :textDocument/didClose (list :textDocument (list :uri rejoinder--uri))))
  (when rejoinder--shown (rejoinder--hide))
  (setq rejoinder--knows nil))

(defun rejoinder--here ()
  "The caret, as the server wants to be asked."
  (list :textDocument (list :uri rejoinder--uri)
        :position (save-restriction
                    (widen)
                    (let ((place (rejoinder--place (point)))) (list :line (car place) :character (cdr place))))))

;;; The ghost

(defun rejoinder-ghost ()
  "The ghost that is shown; nil for none."
  (and rejoinder--ghost (overlay-get rejoinder--ghost 'rejoinder)))

(defun rejoinder--hide ()
  "Show no ghost."
  (remove-hook 'post-command-hook #'rejoinder--left)
  (when rejoinder--ghost
    (when (overlay-buffer rejoinder--ghost)
      (with-current-buffer (overlay-buffer rejoinder--ghost) (setq rejoinder--shown nil)))
    (delete-overlay rejoinder--ghost)
    (setq rejoinder--ghost nil)))

(defun rejoinder--show (text)
  "Show TEXT behind the caret of this buffer."
  (rejoinder--hide)
  (let ((drawn (propertize text 'face 'rejoinder-ghost)))
    (put-text-property 0 1 'cursor t drawn) ; the caret stays before it
    (setq rejoinder--ghost (make-overlay (point) (point))
          rejoinder--shown t)
    (overlay-put rejoinder--ghost 'rejoinder text)
    (overlay-put rejoinder--ghost 'after-string drawn)
    (add-hook 'post-command-hook #'rejoinder--left)))

(defun rejoinder--left ()
  "Hide the ghost of a buffer that is no longer written in, and one the caret has left."
  (when (and rejoinder--ghost
             (not (and (eq (overlay-buffer rejoinder--ghost) (current-buffer)) (= (overlay-start rejoinder--ghost) (point)))))
    (rejoinder--hide)))

(defun rejoinder--ask ()
  "Ask for a ghost at the caret."
  (when (and (not (equal (rejoinder--stands) rejoinder--hushed)) (rejoinder--tell))
    (let ((buffer (current-buffer)) (caret (point)) (tick (buffer-chars-modified-tick)) (turn rejoinder--turn))
      (jsonrpc-async-request
       rejoinder--server :textDocument/inlineCompletion (append (rejoinder--here) '(:context (:triggerKind 2)))
       :error-fn #'ignore :timeout-fn #'ignore
       :success-fn
       (lambda (found)
         (when (and (buffer-live-p buffer) (eq buffer (window-buffer)))
           (with-current-buffer buffer
             (let* ((items (plist-get found :items))
                    (text (and (> (length items) 0) (car (split-string (plist-get (aref items 0) :insertText) "[\r\n]")))))
               (when (and rejoinder-mode (= caret (point)) (= tick (buffer-chars-modified-tick)) (= turn rejoinder--turn)
                          (not (equal (rejoinder--stands) rejoinder--hushed))
                          (not (bound-and-true-p company-candidates)) (not completion-in-region-mode))
                 (if (string-empty-p (or text "")) (rejoinder--hide) (rejoinder--show text)))))))))))

(defun rejoinder--typed ()
  "After a command: take off the ghost what was typed of it, and ask, but not while one deletes or moves about."
  (pcase-let ((`(,caret ,size ,tick) rejoinder--before)
              (ghost (and rejoinder--shown (rejoinder-ghost))))
    (rejoinder--remember)
    (unless (and (eq tick (buffer-chars-modified-tick)) (eq caret (point))) ; what was asked for before is not shown any more
      (setq rejoinder--turn (1+ rejoinder--turn)))
    (unless (eq tick (buffer-chars-modified-tick))
      (let* ((longer (- (point) caret))
             (added (and ghost (< 0 longer (length ghost)) (= longer (- (buffer-size) size))
                         (buffer-substring-no-properties caret (point)))))
        (if (and added (string-prefix-p added ghost))
            (rejoinder--show (substring ghost longer))
          (rejoinder--hide))
        (when (and (> longer 0) (> (buffer-size) size))
          (with-demoted-errors "rejoinder: %S" (rejoinder--ask))))))) ; an error would take us off the hook

(defun rejoinder--remember ()
  "Take the text as it is for what stood there before."
  (setq rejoinder--before (list (point) (buffer-size) (buffer-chars-modified-tick))))

(defun rejoinder--stands ()
  "What stands before the caret in its line."
  (let ((inhibit-field-text-motion t))
    (buffer-substring-no-properties (line-beginning-position) (point))))

;;; What the keys do

(defun rejoinder--put (text)
  "Write TEXT; it is undone by itself."
  (rejoinder--hide)
  (undo-boundary)
  (insert text))

(defun rejoinder-accept ()
  "Take the whole ghost."
  (interactive)
  (when rejoinder--shown (rejoinder--put (rejoinder-ghost))))

(defun rejoinder-accept-word ()
  "Take the ghost's next word; the rest stays."
  (interactive)
  (when rejoinder--shown
    (let* ((ghost (rejoinder-ghost))
           (end (if (string-match "\\`[[:space:]]*[^[:space:]]+" ghost) (match-end 0) (length ghost))))
      (rejoinder--put (substring ghost 0 end))
      (when (< end (length ghost))
        (rejoinder--remember)
        (rejoinder--show (substring ghost end))))))

(defun rejoinder-hush ()
  "Take the ghost away until something else is written."
  (interactive)
  (rejoinder--hide)
  (setq rejoinder--hushed (rejoinder--stands)))

;;;###autoload
(defun rejoinder-switch ()
  "Switch help while typing on or off wherever you write: on the page, in the browser, in every editor."
  (interactive)
  (unless rejoinder--ready (user-error "No server of rejoinder runs"))
  (if (eq t (plist-get (jsonrpc-request rejoinder--server :workspace/executeCommand '(:command "rejoinder.switch") :timeout 10)
                       :on))
      (message "rejoinder helps")
    (rejoinder--hide)
    (message "rejoinder is off wherever you write; the same command brings it back")))

(defun rejoinder--saved ()
  "This buffer was saved."
  (when (and rejoinder--knows (eq rejoinder--knows rejoinder--ready) (rejoinder--tell))
    (jsonrpc-notify rejoinder--server :textDocument/didSave (list :textDocument (list :uri rejoinder--uri)))))

;;; The words

(defun rejoinder-completion-at-point ()
  "The likeliest words, for `completion-at-point-functions'."
  (when (and rejoinder-mode (rejoinder--tell))
    (let* ((caret (point)) (line (line-beginning-position))
           (begin (save-excursion (skip-chars-backward "^ \t\n") (point)))
           (found (ignore-errors (jsonrpc-request rejoinder--server :textDocument/completion (rejoinder--here)
                                                   :timeout rejoinder--patience :cancel-on-input t)))
           (words (mapcar (lambda (item)
                            (let* ((edit (plist-get item :textEdit))
                                   (start (+ line (plist-get (plist-get (plist-get edit :range) :start) :character))))
                              (propertize (concat (buffer-substring-no-properties begin (max begin start))
                                                  (plist-get edit :newText))
                                          'rejoinder (plist-get item :detail))))
                          (plist-get found :items))))
      (when words
        (list begin caret
              (lambda (string predicate action)
                (if (eq action 'metadata) '(metadata (display-sort-function . identity) (cycle-sort-function . identity))
                  (complete-with-action action words string predicate)))
              :exclusive 'no
              :annotation-function (lambda (word) (concat " " (get-text-property 0 'rejoinder word))))))))

;;; The modes

;;;###autoload
(define-minor-mode rejoinder-mode
  "Ghost text behind the caret while one writes."
  :lighter " Rj"
  (if rejoinder-mode
      (progn
        (when (called-interactively-p 'interactive) (setq rejoinder--ended nil))
        (setq rejoinder--tick (buffer-chars-modified-tick))
        (rejoinder--remember)
        (add-hook 'after-change-functions #'rejoinder--changed nil t)
        (add-hook 'post-command-hook #'rejoinder--typed nil t)
        (add-hook 'after-save-hook #'rejoinder--saved nil t)
        (add-hook 'kill-buffer-hook #'rejoinder--forget nil t)
        (add-hook 'change-major-mode-hook #'rejoinder--forget nil t)
        (add-hook 'completion-at-point-functions #'rejoinder-completion-at-point 90 t)
        (rejoinder--start))
    (remove-hook 'after-change-functions #'rejoinder--changed t)
    (remove-hook 'post-command-hook #'rejoinder--typed t)
    (remove-hook 'after-save-hook #'rejoinder--saved t)
    (remove-hook 'kill-buffer-hook #'rejoinder--forget t)
    (remove-hook 'change-major-mode-hook #'rejoinder--forget t)
    (remove-hook 'completion-at-point-functions #'rejoinder-completion-at-point t)
    (rejoinder--forget)))

(defun rejoinder--turn-on ()
  "Switch `rejoinder-mode' on where prose is written."
  (when (and (rejoinder--language) (not (minibufferp)) (not (string-prefix-p " " (buffer-name))))
    (rejoinder-mode)))

;;;###autoload
(define-globalized-minor-mode global-rejoinder-mode rejoinder-mode rejoinder--turn-on)

(provide 'rejoinder)
;; Local Variables:
;; byte-compile-docstring-max-column: 130
;; fill-column: 130
;; End:
;;; rejoinder.el ends here
