package extraction

// Words, folded, around names of people.
//
//nolint:misspell // Italian and Indonesian
var (
	// Whose people are, and who they are to them.
	whose       = set("my our his her their your")
	kin         = set("colleague colleagues friend lawyer attorney boss supervisor partner coworker husband wife fiance fiancee brother sister son daughter father mother cousin uncle aunt nephew niece accountant assistant flatmate roommate neighbour neighbor girlfriend boyfriend")
	warm        = set("dear good old new best former business close younger older elder eldest little late ex")
	possessive  = set("mio mia nostro nostra suo sua tuo tua vostro vostra loro")
	kinItalian  = set("collega amico amica avvocato avvocata capo socio socia marito moglie fratello sorella figlio figlia padre madre cugino cugina zio zia commercialista notaio assistente compagno compagna fidanzato fidanzata nipote")
	warmItalian = set("caro cara buon buona vecchio vecchia nuovo nuova ex")
	// Indonesian has the owner behind, also as an ending.
	kinIndonesian = set("teman rekan kolega kawan suami istri isteri pengacara bos atasan adik kakak ayah paman bibi sahabat sepupu keponakan pasangan tunangan akuntan asisten pacar")
	owning        = set("saya aku kami kita dia mereka anda")
	// trades may be done by firms, for many.
	trades = set("partner rekan lawyer attorney accountant pengacara akuntan avvocato avvocata commercialista notaio")
	many   = set("our their your kami kita mereka anda nostro nostra vostro vostra loro")
	naming = set("named called bernama namanya yaitu yakni is chiamato chiamata")

	// working are what one does for a company, or is there; aboutWork stands around it.
	working   = set("works work worked working employed joined join accountant manager director engineer employee consultant assistant lawyer secretary bekerja kerja karyawan pegawai staf bergabung direktur manajer lavora lavorava lavorare lavorato dipendente impiegato impiegata assunto assunta direttore responsabile contabile")
	aboutWork = set("who still now also currently is was has been being does did not don t doesn didn never would like to wants at for by in the a an as finance sales project general office senior junior head yang sekarang masih juga sudah telah pernah tidak bukan belum ingin mau adalah sebagai di untuk pada dengan seorang che ora adesso ancora anche non mai vorrebbe vuole e era stato stata si ha il la un una come presso per da di in del della dell alla al")

	// speaking begin what speakers say of themselves next.
	speaking = set("i my we from saya aku kami dari lavoro sono vivo abito scrivo mi ho vorrei karyawan pegawai dipendente calling writing")
	and      = set("and dan e ed")
)
