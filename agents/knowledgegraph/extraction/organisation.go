package extraction

// organisations are words, folded, that with capitals are of firms, places, offices,
// ranks, nationalities and the like, and hardly ever of people: what has one beside it
// is no person's name.
//
//nolint:misspell // Italian and Indonesian
var organisations = set(`
company companies firm group holding holdings bank hotel resort villa villas spa restaurant cafe bar club school university college institute academy centre center clinic hospital
office offices department division team staff committee board council ministry embassy consulate immigration government court agency bureau association foundation union federation
service services solution solutions consulting consultants consultancy consultant advisory advisors advisers management trading trade export import construction engineering property properties realty estate estates design studio studios media travel tours logistics tech technology technologies software systems digital global international national international indonesia indonesian asia asian pacific europe european partners associates law legal tax visa permit permits finance financial insurance energy food foods fashion furniture
manager director president chairman ceo cfo coo cto officer executive assistant secretary owner founder head chief leader member accountant lawyer notary consul ambassador minister governor mayor king queen prince princess saint
customer care reception front desk reservation reservations booking bookings sales info admin support help hello contact hr marketing accounting billing press noreply reply no webmaster postmaster mailbox
north south east west street road avenue beach island islands city town village airport university
american australian british canadian chinese dutch english french german indian italian japanese korean russian spanish swiss swedish ukrainian balinese javanese portuguese singaporean malaysian
citizen citizens resident residents tourist expat foreigner
facebook google instagram telegram whatsapp youtube tiktok microsoft excel word teams zoom christmas easter happy new merry good
perusahaan kantor bagian dinas badan kementerian kedutaan imigrasi pemerintah pengadilan sekolah universitas rumah sakit hotel vila toko warung restoran klinik yayasan koperasi
direktur manajer presiden komisaris karyawan pegawai staf pemilik pengacara notaris konsultan akuntan menteri gubernur bupati walikota camat lurah kepala guru dokter polisi bos sekalian yth hamil pertiwi
warga negara asing kota jalan pantai pulau desa kabupaten kecamatan provinsi utara selatan timur barat raya jaya makmur sejahtera mandiri abadi sentosa nusantara
societa azienda impresa ditta gruppo banca albergo ristorante scuola universita istituto ospedale ufficio studio legale ambasciata consolato questura prefettura comune agenzia associazione fondazione ministero tribunale
direttore direttrice presidente amministratore amministratrice delegato responsabile titolare proprietario dipendente impiegato impiegata segretario segretaria commercialista ministro sindaco governatore avvocatura
cittadino cittadina residente italiano italiana tedesco tedesca francese inglese spagnolo spagnola olandese russo russa americano americana australiano australiana indonesiano indonesiana svizzero svizzera
via piazza corso viale isola spiaggia citta nord sud est ovest
`)
